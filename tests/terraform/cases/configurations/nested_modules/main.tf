module "stage" {
  source   = "./stage"
  for_each = { dev = ["a"], prod = ["a", "b"] }
  name     = each.key
  services = each.value
}

output "roles" {
  value = { for stage, made in module.stage : stage => made.roles }
}

resource "aws_iam_policy" "pass" {
  name = "pass"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "iam:PassRole"
      Resource = [for made in values(module.stage) : "arn:aws:iam::123456789012:role/${made.prefix}-*"]
    }]
  })
}
