module eiproute.io/hyperkube

go 1.24
