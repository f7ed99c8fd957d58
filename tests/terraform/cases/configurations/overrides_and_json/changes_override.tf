resource "aws_iam_policy" "this" {
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:${var.verb}Object", Resource = "*" }] })
}

data "aws_iam_policy_document" "this" {
  statement {
    actions   = ["sqs:SendMessage"]
    resources = ["*"]
  }
}

locals {
  shared = "from override"
}
