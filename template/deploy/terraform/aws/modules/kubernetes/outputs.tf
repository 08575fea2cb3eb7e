output "security_group" {
  description = "Of nodes and pods."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

output "cluster" {
  value = aws_eks_cluster.this.name
}
