module "buckets" {
  source = "./buckets"
  names  = ["logs", "data"]
}

data "aws_iam_policy_document" "access" {
  dynamic "statement" {
    for_each = module.buckets.names
    content {
      sid       = title(statement.value)
      actions   = ["s3:GetObject", "s3:ListBucket"]
      resources = ["arn:aws:s3:::${statement.value}", "arn:aws:s3:::${statement.value}/*"]
    }
  }
  source_policy_documents = [module.buckets.deny]
}

resource "aws_iam_policy" "access" {
  name   = "access"
  path   = "/app/"
  policy = data.aws_iam_policy_document.access.json
  tags   = merge(module.buckets.tags, { Name = "access" })
}
