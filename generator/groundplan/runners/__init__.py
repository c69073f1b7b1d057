"""What is run beside groundplan: kubeconform, a control plane."""
