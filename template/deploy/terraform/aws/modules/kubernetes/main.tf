# Kubernetes on EKS: Amazon runs the control plane, nodes stand in the private layer. What runs in it
# is cluster.sh's and the chart's.

data "aws_partition" "here" {}

resource "aws_cloudwatch_log_group" "control_plane" {
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = 60
}

resource "aws_eks_cluster" "this" {
  name     = var.name
  role_arn = aws_iam_role.cluster.arn
  version  = "1.35" # standard support until March 2027; modules and cluster.sh go with it
  # Who asked and what was answered: needed after a break-in.
  enabled_cluster_log_types     = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
  bootstrap_self_managed_addons = false
  deletion_protection           = var.production

  vpc_config {
    subnet_ids              = var.subnets
    endpoint_private_access = true
    # Nobody from outside, unless addresses are named.
    endpoint_public_access = length(var.clients) > 0
    public_access_cidrs    = length(var.clients) > 0 ? var.clients : null
  }

  # Who may do what is said here and not by who happened to make the cluster.
  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = var.key
    }
  }

  # A version that Amazon no longer keeps is replaced and not paid for at a higher price.
  upgrade_policy {
    support_type = "STANDARD"
  }

  depends_on = [aws_cloudwatch_log_group.control_plane, aws_iam_role_policy_attachment.cluster]
}

# Nodes take credentials from a hop away at most, which no pod is: pods have identities of their own.
resource "aws_launch_template" "node" {
  name_prefix = "${var.name}-node-"

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  # Bottlerocket keeps images and pods' files on the second disk.
  block_device_mappings {
    device_name = "/dev/xvdb"

    ebs {
      volume_type = "gp3"
      volume_size = 50
      encrypted   = true
    }
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "${var.name}-node" }
  }
}

resource "aws_eks_node_group" "this" {
  cluster_name           = aws_eks_cluster.this.name
  node_group_name_prefix = "${var.name}-"
  node_role_arn          = aws_iam_role.node.arn
  subnet_ids             = var.subnets
  ami_type               = "BOTTLEROCKET_x86_64"
  instance_types         = [var.machine]

  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.latest_version
  }

  scaling_config {
    min_size     = var.nodes.least
    max_size     = var.nodes.most
    desired_size = var.nodes.least
  }

  update_config {
    max_unavailable = 1
  }

  # How many there are is the autoscaler's from then on.
  lifecycle {
    create_before_destroy = true
    ignore_changes        = [scaling_config[0].desired_size]
  }

  # The network first: without it no node becomes ready.
  depends_on = [aws_iam_role_policy_attachment.node, aws_eks_addon.network]
}

# Pods get addresses of the network, and policies of the chart are enforced.
resource "aws_eks_addon" "network" {
  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = "vpc-cni"
  configuration_values        = jsonencode({ enableNetworkPolicy = "true" })
  resolve_conflicts_on_update = "OVERWRITE"
}

resource "aws_eks_addon" "this" {
  for_each = toset(["kube-proxy", "coredns", "eks-pod-identity-agent", "metrics-server"])

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  resolve_conflicts_on_update = "OVERWRITE"
  depends_on                  = [aws_eks_node_group.this]
}

# Made by itself, a log would be kept for ever.
resource "aws_cloudwatch_log_group" "pods" {
  for_each = toset(["application", "dataplane", "host", "performance"])

  name              = "/aws/containerinsights/${var.name}/${each.key}"
  retention_in_days = 60
}

# What processes write goes to CloudWatch, and so do figures of nodes and pods.
resource "aws_eks_addon" "logs" {
  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = "amazon-cloudwatch-observability"
  resolve_conflicts_on_update = "OVERWRITE"
  # Figures by the names that the alarm below asks for; the add-on knows others, too.
  configuration_values = jsonencode({
    agent = { config = { logs = { metrics_collected = { kubernetes = { enhanced_container_insights = true } } } } }
  })
  depends_on = [aws_eks_node_group.this, aws_cloudwatch_log_group.pods]

  pod_identity_association {
    role_arn        = aws_iam_role.pod["logs"].arn
    service_account = "cloudwatch-agent"
  }
}

# Pods are reached by the load balancer on the app's port; among each other by the chart's policies.
resource "aws_vpc_security_group_ingress_rule" "load_balancer" {
  security_group_id            = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
  description                  = "The load balancer"
  referenced_security_group_id = var.load_balancer
  ip_protocol                  = "tcp"
  from_port                    = 8000
  to_port                      = 8000
}

# Nobody sees it from outside: mail waits, documents are not read.
resource "aws_cloudwatch_metric_alarm" "no_worker" {
  alarm_name        = "${var.name}-no-worker"
  alarm_description = "No worker runs: jobs wait"
  namespace         = "ContainerInsights"
  metric_name       = "status_replicas_available"
  # Amazon calls a Deployment the name of its pods.
  dimensions          = { ClusterName = var.name, Namespace = var.namespace, PodName = "${var.service_account}-worker" }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topics
  ok_actions          = var.alarm_topics
}
