"""Terraform front end: HCL and plan JSON to resources."""
