module github.com/normwasm/normwasm

go 1.27

toolchain go1.27.4

require (
	github.com/stretchr/testify v1.12.1
	google.golang.org/protobuf v1.36.12
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect
