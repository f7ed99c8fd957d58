"""CloudFormation front end: templates, SAM and CDK output to resources."""
