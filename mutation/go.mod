module github.com/seed-299d42e7/authentik-go/mutation

go 1.26.0
