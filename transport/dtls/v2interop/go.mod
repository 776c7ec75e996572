module github.com/commshub/commshub/transport/dtls/v2interop

go 1.26.0

replace github.com/commshub/commshub => ../../..

require (
	github.com/commshub/commshub v0.0.0
	github.com/pion/dtls/v2 v2.2.12
	github.com/pion/transport/v2 v2.2.4
)

require (
	github.com/google/renameio/v2 v2.0.2 // indirect
	github.com/pion/dtls/v3 v3.1.15 // indirect
	github.com/pion/logging v0.2.4 // indirect
	github.com/pion/transport/v5 v5.0.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)
