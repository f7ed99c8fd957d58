locals {
  buckets = ["one", "two"]
}

resource "aws_iam_policy" "file" {
  name   = "file"
  policy = file("${path.module}/policy.json")
}

resource "aws_iam_policy" "template" {
  name   = "template"
  policy = templatefile("${path.module}/policy.json.tftpl", { buckets = local.buckets, admin = true })
}

resource "aws_iam_policy" "template_reader" {
  name   = "template-reader"
  policy = templatefile("${path.module}/policy.json.tftpl", { buckets = ["only"], admin = false })
}

resource "aws_iam_policy" "heredoc" {
  name   = "heredoc"
  policy = <<-EOT
    {
      "Version": "2012-10-17",
      "Statement": [
        %{for bucket in local.buckets~}
        {
          "Effect": "Allow",
          "Action": "s3:GetObject",
          "Resource": "arn:aws:s3:::${bucket}/*"
        },
        %{endfor~}
        {
          "Effect": "Deny",
          "Action": "s3:DeleteBucket",
          "Resource": "*"
        }
      ]
    }
  EOT
}

resource "aws_iam_role" "text" {
  name               = "text"
  assume_role_policy = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"ec2.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}"
}
