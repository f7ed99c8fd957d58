variable "name" { type = string }
variable "services" { type = list(string) }

module "service" {
  source = "../service"
  count  = length(var.services)
  name   = "${var.name}-${var.services[count.index]}"
}

output "roles" {
  value = module.service[*].role
}

output "prefix" {
  value = var.name
}
