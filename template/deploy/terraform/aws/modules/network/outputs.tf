output "vpc" {
  value = aws_vpc.this.id
}

output "public_subnets" {
  value = aws_subnet.public[*].id
}

output "private_subnets" {
  value = aws_subnet.private[*].id
}

output "data_subnets" {
  value = aws_subnet.data[*].id
}

output "public_blocks" {
  value = aws_subnet.public[*].cidr_block
}

output "data_blocks" {
  value = aws_subnet.data[*].cidr_block
}

output "private_blocks" {
  value = aws_subnet.private[*].cidr_block
}
