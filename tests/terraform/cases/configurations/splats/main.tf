resource "aws_iam_user" "many" {
  count = 2
  name  = "many-${count.index}"
  tags  = { index = count.index }
}

resource "aws_iam_user" "keyed" {
  for_each = { a = 1, b = 2 }
  name     = "keyed-${each.key}"
}

locals {
  names  = concat(aws_iam_user.many[*].name, values(aws_iam_user.keyed)[*].name, aws_iam_user.many.*.name)
  tagged = { for user in aws_iam_user.many : user.name => user.tags.index }
}

resource "aws_iam_group_membership" "all" {
  name  = "all"
  group = "everybody"
  users = distinct(local.names)
}

resource "aws_iam_policy" "names" {
  name = "names"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for i, name in distinct(local.names) : {
        Sid      = "User${i}"
        Effect   = "Allow"
        Action   = lookup(local.tagged, name, "none") == "1" ? "iam:*" : "iam:Get*"
        Resource = "arn:aws:iam::123456789012:user/${name}"
      }
    ]
  })
}
