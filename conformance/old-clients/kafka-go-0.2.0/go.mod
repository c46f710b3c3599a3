module check

go 1.21

require github.com/segmentio/kafka-go v0.2.0

require (
	github.com/golang/snappy v1.0.0 // indirect
	github.com/pierrec/lz4 v2.6.1+incompatible // indirect
	golang.org/x/net v0.17.0 // indirect
)
