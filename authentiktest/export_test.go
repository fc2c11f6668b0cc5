package authentiktest

// ParseYAML returns the document that an import reads, as JSON.
func ParseYAML(content []byte) ([]byte, error) {
	value, err := parseYAML(content)
	if err != nil {
		return nil, err
	}
	return appendJSON(nil, value), nil
}
