variable "environment" { default = "stage" }

locals {
  defaults = { actions = ["s3:GetObject"], days = 7 }
  settings = {
    prod  = { actions = ["s3:*"] }
    stage = { days = 14 }
  }
  chosen  = merge(local.defaults, lookup(local.settings, var.environment, {}))
  retries = try(local.settings[var.environment].retries, 3)
  label   = coalesce(try(local.settings.prod.label, null), "none")
  prefix  = element(split("-", "${var.environment}-x"), 0)
}

resource "aws_iam_policy" "chosen" {
  name        = "chosen-${local.prefix}"
  description = "${local.label} ${local.retries} ${local.chosen.days}"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = local.chosen.actions, Resource = "*" }]
  })
}

resource "aws_iam_policy" "per_setting" {
  for_each = { for name, settings in local.settings : name => merge(local.defaults, settings) if can(settings.days) || name == "prod" }
  name     = "setting-${each.key}"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = each.value.actions, Resource = "*", Condition = { NumericLessThan = { "s3:max-keys" = tostring(each.value.days) } } }]
  })
}
