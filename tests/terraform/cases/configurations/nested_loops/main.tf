variable "accounts" {
  default = {
    prod = { id = "111111111111", roles = ["reader", "writer"] }
    dev  = { id = "222222222222", roles = ["reader"] }
  }
}

locals {
  pairs = flatten([
    for account, settings in var.accounts : [
      for role in settings.roles : { key = "${account}/${role}", account = settings.id, role = role }
    ]
  ])
  by_key = { for pair in local.pairs : pair.key => pair }
}

resource "aws_iam_policy" "assume" {
  for_each = local.by_key
  name     = replace(each.key, "/", "-")
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "sts:AssumeRole"
      Resource = "arn:aws:iam::${each.value.account}:role/${each.value.role}"
    }]
  })
}

resource "aws_iam_policy" "by_role" {
  for_each = { for pair in local.pairs : pair.role => pair.account... }
  name     = "all-${each.key}"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for id in sort(each.value) : { Effect = "Allow", Action = "sts:AssumeRole", Resource = "arn:aws:iam::${id}:role/${each.key}" }]
  })
}
