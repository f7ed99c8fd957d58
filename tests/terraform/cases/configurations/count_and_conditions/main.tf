variable "create" {
  type    = bool
  default = true
}

variable "boundary" {
  type    = string
  default = null
}

locals {
  replicas = var.create ? 3 : 0
}

resource "aws_iam_user" "worker" {
  count = local.replicas
  name  = format("worker-%02d", count.index + 1)
  path  = count.index == 0 ? "/lead/" : "/"
}

resource "aws_iam_user_policy" "worker" {
  count = length(aws_iam_user.worker)
  name  = "worker"
  user  = aws_iam_user.worker[count.index].name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([{ Effect = "Allow", Action = ["sqs:ReceiveMessage"], Resource = "*" }], count.index == 0 ? [{ Effect = "Allow", Action = ["sqs:*"], Resource = "*" }] : [])
  })
}

resource "aws_iam_role" "optional" {
  count                = var.create && var.boundary == null ? 1 : 0
  name                 = "optional"
  permissions_boundary = var.boundary
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = [] })
}

resource "aws_iam_role" "never" {
  count              = var.create ? 0 : 1
  name               = "never"
  assume_role_policy = "{}"
}

output "names" {
  value = aws_iam_user.worker[*].name
}

output "never" {
  value = one(aws_iam_role.never[*].name)
}
