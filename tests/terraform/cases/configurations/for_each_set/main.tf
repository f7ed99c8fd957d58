variable "teams" {
  type    = set(string)
  default = ["ops", "dev", "sec"]
}

data "aws_iam_policy_document" "trust" {
  for_each = var.teams
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::123456789012:user/${each.key}"]
    }
  }
}

resource "aws_iam_role" "team" {
  for_each           = var.teams
  name               = "team-${each.value}"
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
}

resource "aws_iam_role_policy" "read" {
  for_each = { for name, role in aws_iam_role.team : upper(name) => role }
  name     = "read-${each.key}"
  role     = each.value.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::${lower(each.key)}/*" }]
  })
}

output "roles" {
  value = { for name, role in aws_iam_role.team : name => role.name }
}
