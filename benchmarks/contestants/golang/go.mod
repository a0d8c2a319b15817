module tlscomm.invalid/benchmark

go 1.18
