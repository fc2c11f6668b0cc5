package authentiktest

import (
	"net"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// log appends an event to the logs of an import. Until 2023.10 the attributes
// are the event; 2022.12 has no logs.
func (im *importer) log(level, logger, event string, attributes object) {
	switch {
	case im.since("2024.2"):
		context := object{
			{"auth_via", "api_token"},
			{"request_id", im.requestID()},
			{"host", im.q.host()},
			{"schema_name", "public"},
			{"domain_url", im.hostname()},
		}
		im.logs = append(im.logs, object{
			{"timestamp", timestamp()},
			{"log_level", level},
			{"logger", logger},
			{"event", event},
			{"attributes", append(attributes, context...)},
		})
	case im.since("2023.10"):
		im.logs = append(im.logs, append(attributes, member{"event", event}, member{"log_level", level}))
	}
}

func timestamp() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000000Z") }

// hexadecimal returns an identifier without dashes.
func hexadecimal(id uuid.UUID) string { return strings.ReplaceAll(id.String(), "-", "") }

func (im *importer) requestID() string {
	if im.request == "" {
		im.request = hexadecimal(im.id("request"))
	}
	return im.request
}

func (im *importer) hostname() string {
	if host, _, err := net.SplitHostPort(im.q.host()); err == nil {
		return host
	}
	return im.q.host()
}

// versionLog is the log of a blueprint with an invalid version.
func (st *store) versionLog() []object {
	const event = "Invalid blueprint version"
	switch {
	case st.since("2024.2"):
		return []object{{
			{"timestamp", timestamp()},
			{"log_level", "warning"},
			{"logger", nil},
			{"event", event},
			{"attributes", object{}},
		}}
	case st.since("2023.10"):
		return []object{{{"event", event}, {"log_level", "warning"}}}
	}
	return nil
}

const blueprintLogger = "authentik.blueprints.v1.importer"

func (im *importer) logUnknown(model string) {
	app, name, _ := strings.Cut(model, ".")
	im.log("warning", blueprintLogger, "App or Model does not exist", object{{"app", app}, {"model", name}})
	im.logInvalid()
}

func (im *importer) logInvalid() {
	if im.since("2024.2") {
		im.log("warning", blueprintLogger, "Blueprint validation failed", nil)
	}
}

// logRefused logs an entry that is invalid, with the repr of its errors.
func (im *importer) logRefused(document object, e entry, all []refusals) {
	var fields []string
	for _, r := range all {
		var details []string
		for _, why := range r.whys {
			details = append(details, "ErrorDetail(string="+pyQuote(why.text)+", code="+pyQuote(why.code)+")")
		}
		fields = append(fields, pyQuote(r.key)+": ["+strings.Join(details, ", ")+"]")
	}
	im.logProblem(document, e, "Serializer errors {"+strings.Join(fields, ", ")+"}")
}

// logProblem logs an entry that is invalid.
func (im *importer) logProblem(document object, e entry, problem string) {
	shown := object{{"model", e.model}, {"state", "present"}, {"conditions", []any{}}}
	for i := range shown {
		if value, ok := document.get(shown[i].key); ok {
			shown[i].value = value
		}
	}
	shown = append(shown, member{"identifiers", e.identifiers}, member{"attrs", e.attrs})
	if im.since("2024.10") {
		shown = append(shown, member{"permissions", []any{}})
	}
	shown = append(shown, member{"id", nil}, member{"_state", object{{"instance", nil}}})
	word := "Entry"
	if !im.since("2024.2") {
		word = "entry"
	}
	im.log("warning", blueprintLogger, word+" invalid: "+problem, object{{"entry", shown}, {"error", problem}})
	im.logInvalid()
}

// logSaved logs the event of an object that was stored, and the task that
// handles the event.
func (im *importer) logSaved(e entry, of saved) {
	action, pk := "model_updated", hexadecimal(of.pk)
	if of.created {
		action = "model_created"
	}
	if of.deleted {
		action = "model_deleted"
	}
	if of.asSent { // nobody has parsed it
		pk = of.pk.String()
	}
	app, name, _ := strings.Cut(e.model, ".")
	context := object{{"model", object{{"app", app}, {"model_name", name}, {"pk", pk}, {"name", of.name}}}}
	if of.created && im.since("2024.10") && !im.since("2025.10") {
		context = append(context, member{"diff", im.difference(e, of)})
	}
	http := object{
		{"path", im.q.URL.Path}, {"method", im.q.Method}, {"args", object{}}, {"user_agent", im.q.UserAgent()},
	}
	if im.since("2024.2") {
		http = append(http, member{"request_id", im.requestID()})
	}
	client := "127.0.0.1"
	if host, _, err := net.SplitHostPort(im.q.RemoteAddr); err == nil {
		client = host
	}
	im.log("info", "authentik.events.models", "Created Event", object{
		{"action", action},
		{"context", append(context, member{"http_request", http})},
		{"client_ip", client},
		{"user", im.user()},
	})
	task := im.id("task")
	if im.since("2025.10") {
		im.log("info", "authentik.tasks.middleware", "Task enqueued", object{
			{"task_id", task}, {"task_name", "authentik.events.tasks.event_trigger_dispatch"},
		})
		return
	}
	im.log("info", "authentik.root.celery", "Task published", object{
		{"task_id", hexadecimal(task)}, {"task_name", "authentik.events.tasks.event_notification_handler"},
	})
}

// user returns the user of the import as logs name one. Until 2023.10 the log
// was written before the token was seen.
func (im *importer) user() object {
	if !im.since("2024.2") {
		return object{{"username", "AnonymousUser"}, {"pk", 1}, {"email", ""}, {"is_anonymous", true}}
	}
	u := im.q.user
	return object{{"username", u.username}, {"pk", u.pk}, {"email", u.email}}
}

// difference returns the fields of a new object as a difference to nothing.
func (im *importer) difference(e entry, of saved) object {
	diff := object{}
	add := func(key string, value any) {
		if id, ok := value.(uuid.UUID); ok {
			value = hexadecimal(id)
		}
		diff = append(diff, member{key, object{{"previous_value", nil}, {"new_value", value}}})
	}
	flow, binding, stage := im.flowByPK(of.pk), im.binding(of.pk), im.stage(of.pk)
	switch {
	case e.model == flowModel:
		im.flowDifference(flow, add)
	case e.model == bindingModel:
		add("pbm_uuid", binding.PolicyBindingModelPtrID)
		add("policy_engine_mode", string(binding.PolicyEngineMode))
		add("policybindingmodel_ptr", binding.PolicyBindingModelPtrID)
		add("fsb_uuid", binding.PK)
		add("target", binding.Target)
		add("stage", binding.Stage)
		add("evaluate_on_plan", binding.EvaluateOnPlan)
		add("re_evaluate_policies", binding.ReEvaluatePolicies)
		add("invalid_response_action", string(binding.InvalidResponseAction))
		add("order", binding.Order)
	case e.model == policyBindingModel:
		link := find(im.links, func(b *policyBinding) bool { return b.pk == of.pk })
		add("policy_binding_uuid", link.pk)
		for _, key := range []string{"enabled", "policy", "target", "negate", "timeout", "failure_result", "order"} {
			switch value, _ := link.settings.get(key); key {
			case "policy":
				add(key, link.policy)
			case "target":
				add(key, link.target)
			case "order":
				add(key, link.order)
			default:
				add(key, value)
			}
		}
	case stage != nil:
		add("stage_uuid", stage.PK)
		add("name", stage.Name)
		add("stage_ptr", stage.PK)
		for _, m := range im.settings[stage.PK] {
			add(m.key, m.value)
		}
	default:
		for _, m := range im.thing(of.pk).settings {
			add(m.key, m.value)
		}
	}
	return diff
}

func (im *importer) flowDifference(f *authentik.Flow, add func(string, any)) {
	add("pbm_uuid", f.PolicyBindingModelPtrID)
	add("policy_engine_mode", string(f.PolicyEngineMode))
	add("policybindingmodel_ptr", f.PolicyBindingModelPtrID)
	add("flow_uuid", f.PK)
	add("name", f.Name)
	add("slug", f.Slug)
	add("title", f.Title)
	add("layout", string(f.Layout))
	add("designation", string(f.Designation))
	add("compatibility_mode", f.CompatibilityMode)
	add("denied_action", string(f.DeniedAction))
	add("authentication", string(f.Authentication))
}
