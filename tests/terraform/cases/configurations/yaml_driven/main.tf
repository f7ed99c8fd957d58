locals {
  config = yamldecode(file("${path.module}/roles.yaml"))
  roles  = { for role in local.config.roles : role.name => role }
}

resource "aws_iam_role" "this" {
  for_each             = local.roles
  name                 = each.key
  max_session_duration = try(each.value.session, 3600)
  assume_role_policy = jsonencode({
    Version   = local.config.version
    Statement = [for principal in each.value.trust : { Effect = "Allow", Action = "sts:AssumeRole", Principal = { (principal.type) = principal.ids } }]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = { for name, role in local.roles : name => role.allow if can(role.allow) }
  role     = aws_iam_role.this[each.key].name
  name     = "allow"
  policy   = jsonencode({ Version = local.config.version, Statement = [{ Effect = "Allow", Action = each.value, Resource = "*" }] })
}
