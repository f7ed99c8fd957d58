variable "managed" {
  default = ["AmazonS3ReadOnlyAccess", "job-function/ViewOnlyAccess"]
}

resource "aws_iam_role" "this" {
  name = "with-inline"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = ["lambda.amazonaws.com"] }, Action = ["sts:AssumeRole"] }]
  })
  managed_policy_arns = formatlist("arn:aws:iam::aws:policy/%s", var.managed)

  inline_policy {
    name   = "fixed"
    policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "logs:*", Resource = "*" }] })
  }

  dynamic "inline_policy" {
    for_each = { extra = ["sqs:*"], more = ["sns:Publish"] }
    content {
      name   = inline_policy.key
      policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = inline_policy.value, Resource = "*" }] })
    }
  }
}

resource "aws_iam_policy_attachment" "admins" {
  name       = "admins"
  roles      = ["with-inline"]
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}
