// Command export writes all flows of a server to a JSON file, and lists what
// has changed since the file was last written: flows that are new or gone, and
// fields that differ.
//
//	go run ./examples/export flows.json
//
// Without a file the command prints the JSON. With AUTHENTIK_URL and
// AUTHENTIK_TOKEN set, it reads that server, otherwise a fake one.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

const about = "Writes the flows of a server to a JSON file, and lists what has changed since. " +
	cli.ServerVariables

func main() { cli.Main(run) }

func run(ctx context.Context, env cli.Env) int {
	flags := flag.NewFlagSet("export", flag.ContinueOnError)
	if err := env.Parse(flags, about, "[FILE]"); err != nil {
		return env.Exit(ctx, nil, err)
	}
	server, err := env.Connect()
	if err != nil {
		return env.Exit(ctx, nil, err)
	}
	defer server.Close()

	// Half a list would look as if flows were gone: Snapshot begins again when
	// the list changes while it is read, and an error means that nothing is
	// written.
	flows, err := authentik.Snapshot(server.FlowsInstancesAll(ctx, nil, authentik.WithPrefetch(2)))
	if err == nil {
		err = export(flows, flags.Arg(0), env.Stdout)
	}
	return env.Exit(ctx, server, err)
}

func export(flows []authentik.Flow, file string, out io.Writer) error {
	for i := range flows {
		flows[i] = settled(flows[i])
	}
	encoded, err := encode(append([]authentik.Flow{}, flows...), "  ") // none is [], not null
	if err != nil {
		return err
	}
	if file == "" {
		_, err := out.Write(encoded)
		return err
	}
	earlier, err := read(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err = fmt.Fprintf(out, "%d flows, and no earlier file\n", len(flows))
	case err == nil:
		err = compare(out, earlier, flows)
	}
	if err != nil {
		return err
	}
	return replace(file, encoded)
}

// settled is a flow without what differs at each read although nothing has
// been changed: addresses of files are signed anew (and let their holder read
// the file), plans come and go in the cache, and stages are in no order.
func settled(f authentik.Flow) authentik.Flow {
	f.BackgroundURL, f.BackgroundThemedURLs, f.CacheCount = "", nil, 0
	for _, ids := range [][]uuid.UUID{f.Stages, f.Policies} {
		slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	}
	return f
}

// encode is json.Marshal for people: "<" stays "<".
func encode(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	err := encoder.Encode(v)
	return b.Bytes(), err
}

func read(file string) ([]authentik.Flow, error) {
	encoded, err := os.ReadFile(file) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	var flows []authentik.Flow
	if err := json.Unmarshal(encoded, &flows); err != nil {
		return nil, fmt.Errorf("%s is not an earlier export: %w", file, err)
	}
	return flows, nil
}

// replace writes a file so that it is there whole or not at all.
func replace(file string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = cmp.Or(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// compare prints how two lists of flows differ. A flow is the same one if its
// PK is, whatever its slug.
func compare(out io.Writer, earlier, now []authentik.Flow) error {
	byPK := func(flows []authentik.Flow) map[uuid.UUID]authentik.Flow {
		m := map[uuid.UUID]authentik.Flow{}
		for _, f := range flows {
			m[f.PK] = f
		}
		return m
	}
	var b bytes.Buffer
	var added, removed, changed int
	before, after := byPK(earlier), byPK(now)
	for _, f := range now {
		old, ok := before[f.PK]
		if !ok {
			added++
			fmt.Fprintf(&b, "+ %s\n", cli.Printable(f.Slug))
			continue
		}
		lines, err := differences(old, f)
		if err != nil {
			return err
		}
		if len(lines) > 0 {
			changed++
			fmt.Fprintf(&b, "~ %s\n", cli.Printable(f.Slug))
		}
		for _, line := range lines {
			fmt.Fprintf(&b, "    %s\n", cli.Printable(line))
		}
	}
	for _, f := range earlier {
		if _, ok := after[f.PK]; !ok {
			removed++
			fmt.Fprintf(&b, "- %s\n", cli.Printable(f.Slug))
		}
	}
	fmt.Fprintf(&b, "%d flows: %d added, %d removed, %d changed\n", len(now), added, removed, changed)
	_, err := out.Write(b.Bytes())
	return err
}

// differences are the fields, under authentik's names, that two flows do not
// have in common.
func differences(before, after authentik.Flow) ([]string, error) {
	old, err := fields(before)
	if err != nil {
		return nil, err
	}
	fresh, err := fields(after)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(old)
	maps.Copy(all, fresh)
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if from, to := old[key], fresh[key]; !bytes.Equal(from, to) {
			lines = append(lines, fmt.Sprintf("%s: %s → %s", key, value(from), value(to)))
		}
	}
	return lines, nil
}

func fields(f authentik.Flow) (map[string]json.RawMessage, error) {
	encoded, err := encode(f, "")
	if err != nil {
		return nil, err
	}
	var m map[string]json.RawMessage
	return m, json.Unmarshal(encoded, &m)
}

func value(v json.RawMessage) string {
	if v == nil {
		return "none" // a server of another release
	}
	return string(v)
}
