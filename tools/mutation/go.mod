module github.com/seed-299d42e7/authentik-go/tools/mutation

go 1.26.0
