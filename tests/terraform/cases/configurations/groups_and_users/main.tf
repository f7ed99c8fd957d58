locals {
  users  = { alice = ["admins", "devs"], bob = ["devs"], carol = [] }
  groups = toset(flatten(values(local.users)))
  grid   = { for pair in setproduct(["read", "write"], sort(local.groups)) : join(".", pair) => { verb = pair[0], group = pair[1] } }
}

resource "aws_iam_user" "this" {
  for_each      = local.users
  name          = each.key
  force_destroy = contains(each.value, "admins")
}

resource "aws_iam_group" "this" {
  for_each = local.groups
  name     = each.value
}

resource "aws_iam_user_group_membership" "this" {
  for_each = { for user, groups in local.users : user => groups if length(groups) > 0 }
  user     = aws_iam_user.this[each.key].name
  groups   = [for group in each.value : aws_iam_group.this[group].name]
}

resource "aws_iam_group_policy" "grid" {
  for_each = local.grid
  name     = replace(each.key, ".", "-")
  group    = aws_iam_group.this[each.value.group].name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "dynamodb:${title(each.value.verb)}*", Resource = "*" }]
  })
}
