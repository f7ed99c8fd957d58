variable "name" {
  type = string
}

resource "aws_iam_policy" "all" {
  name = "${var.name}-all"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }]
  })
}

module "key" {
  source = "./key"
  count  = 2
  name   = "${var.name}-${count.index}"
}
