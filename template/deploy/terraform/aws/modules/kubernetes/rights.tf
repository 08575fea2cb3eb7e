# Who may do what: in the account by roles, in the cluster by access entries. No key is stored anywhere.

data "aws_region" "here" {}

data "aws_caller_identity" "here" {}

data "aws_iam_policy_document" "trust" {
  for_each = { cluster = "eks.amazonaws.com", node = "ec2.amazonaws.com", pod = "pods.eks.amazonaws.com" }

  statement {
    actions = concat(["sts:AssumeRole"], each.key == "pod" ? ["sts:TagSession"] : [])

    principals {
      type        = "Service"
      identifiers = [each.value]
    }
  }
}

locals {
  policies = "arn:${data.aws_partition.here.partition}:iam::aws:policy"
}

resource "aws_iam_role" "cluster" {
  name               = "${var.name}-cluster"
  assume_role_policy = data.aws_iam_policy_document.trust["cluster"].json
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "${local.policies}/AmazonEKSClusterPolicy"
}

data "aws_iam_policy_document" "cluster_key" {
  statement {
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey"]
    resources = [var.key]
  }
}

resource "aws_iam_role_policy" "cluster_key" {
  name   = "key"
  role   = aws_iam_role.cluster.id
  policy = data.aws_iam_policy_document.cluster_key.json
}

resource "aws_iam_role" "node" {
  name               = "${var.name}-node"
  assume_role_policy = data.aws_iam_policy_document.trust["node"].json
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly"])

  role       = aws_iam_role.node.name
  policy_arn = "${local.policies}/${each.key}"
}

# What runs in pods: the app, who reads secrets for it, who brings it requests, who adds nodes, and logs.

locals {
  pods = {
    app        = { namespace = var.namespace, account = var.service_account }
    secrets    = { namespace = "external-secrets", account = "external-secrets" }
    requests   = { namespace = "kube-system", account = "aws-load-balancer-controller" }
    autoscaler = { namespace = "kube-system", account = "cluster-autoscaler" }
  }
}

resource "aws_iam_role" "pod" {
  for_each = toset(concat(keys(local.pods), ["logs"]))

  name               = "${var.name}-pod-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust["pod"].json
}

resource "aws_eks_pod_identity_association" "this" {
  for_each = local.pods

  cluster_name    = aws_eks_cluster.this.name
  namespace       = each.value.namespace
  service_account = each.value.account
  role_arn        = aws_iam_role.pod[each.key].arn
}

resource "aws_iam_role_policy" "app" {
  count = length(var.rights)

  name   = "app"
  role   = aws_iam_role.pod["app"].id
  policy = var.rights[count.index]
}

resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.pod["logs"].name
  policy_arn = "${local.policies}/CloudWatchAgentServerPolicy"
}

data "aws_iam_policy_document" "secrets" {
  statement {
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    resources = var.secrets
  }

  statement {
    actions   = ["kms:Decrypt"]
    resources = [var.key]
  }
}

# The load balancer is Terraform's; only who stands behind it changes with the pods.
data "aws_iam_policy_document" "requests" {
  # Amazon knows no finer resource for these.
  statement {
    sid = "Look"
    actions = [
      "ec2:DescribeAvailabilityZones", "ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs",
      "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth",
    ]
    resources = ["*"]
  }

  statement {
    sid     = "Register"
    actions = ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"]
    resources = [join(":", [
      "arn", data.aws_partition.here.partition, "elasticloadbalancing", data.aws_region.here.region,
      data.aws_caller_identity.here.account_id, "targetgroup/${var.name}/*",
    ])]
  }
}

data "aws_iam_policy_document" "autoscaler" {
  statement {
    sid = "Look"
    actions = [
      "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances",
      "autoscaling:DescribeLaunchConfigurations", "autoscaling:DescribeScalingActivities",
      "ec2:DescribeImages", "ec2:DescribeInstanceTypes", "ec2:DescribeLaunchTemplateVersions",
      "ec2:GetInstanceTypesFromInstanceRequirements",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "LookAtNodes"
    actions   = ["eks:DescribeNodegroup"]
    resources = [aws_eks_node_group.this.arn]
  }

  statement {
    sid     = "Number"
    actions = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    resources = [join(":", [
      "arn", data.aws_partition.here.partition, "autoscaling", data.aws_region.here.region,
      data.aws_caller_identity.here.account_id, "autoScalingGroup", "*", "autoScalingGroupName/eks-*",
    ])]

    # EKS tags the groups that it makes.
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.name}"
      values   = ["owned"]
    }
  }
}

resource "aws_iam_role_policy" "pod" {
  for_each = {
    secrets    = data.aws_iam_policy_document.secrets.json
    requests   = data.aws_iam_policy_document.requests.json
    autoscaler = data.aws_iam_policy_document.autoscaler.json
  }

  name   = each.key
  role   = aws_iam_role.pod[each.key].id
  policy = each.value
}

# People who run the cluster, and CI, which may do in its namespace what deploy/cluster says.

resource "aws_eks_access_entry" "administrator" {
  for_each = toset(var.administrators)

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.key
}

resource "aws_eks_access_policy_association" "administrator" {
  for_each = aws_eks_access_entry.administrator

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value.principal_arn
  policy_arn    = "arn:${data.aws_partition.here.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

  access_scope {
    type = "cluster"
  }
}

resource "aws_eks_access_entry" "release" {
  count = length(var.releases)

  cluster_name      = aws_eks_cluster.this.name
  principal_arn     = var.releases[count.index]
  kubernetes_groups = ["release"]
}
