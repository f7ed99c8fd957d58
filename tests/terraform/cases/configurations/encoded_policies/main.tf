variable "features" {
  type = object({
    read   = optional(bool, true)
    write  = optional(bool, false)
    delete = optional(object({ enabled = optional(bool, true), paths = optional(list(string), ["tmp/*"]) }), {})
  })
  default = {}
}

locals {
  statements = {
    read   = var.features.read ? { Effect = "Allow", Action = ["s3:GetObject"], Resource = ["*"] } : null
    write  = var.features.write ? { Effect = "Allow", Action = ["s3:PutObject"], Resource = ["*"] } : null
    delete = var.features.delete.enabled ? { Effect = "Allow", Action = ["s3:DeleteObject"], Resource = [for p in var.features.delete.paths : "arn:aws:s3:::bucket/${p}"] } : null
  }
}

resource "aws_iam_policy" "features" {
  name = "features"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for name, statement in local.statements : merge(statement, { Sid = title(name) }) if statement != null]
  })
}

resource "aws_iam_policy" "merged" {
  name = "merged"
  policy = jsonencode(merge(
    { Version = "2012-10-17" },
    { Statement = compact([for s in ["a", ""] : s]) == ["a"] ? [] : [{ Effect = "Allow", Action = ["s3:List*", "s3:<x>"], Resource = "*", Condition = { StringEquals = { "aws:x" = ["&", "é"] } } }] },
  ))
}
