package testkit

import (
	"fmt"
	"net/http"
)

// Identifiers in the bodies of this package.
const (
	// FlowID is the primary key of the object in [MinimalFlow], [MinimalFlowSet]
	// and [MinimalBinding].
	FlowID = "6ca60e71-0cb0-4312-92eb-dfd27ba3d70b"
	// OtherID is every other identifier in those bodies.
	OtherID = "5935ba1c-7226-425c-9ff7-200ad3fe10cb"
)

// Bodies with the keys that every release sends, and no others.
const (
	// MinimalFlow is the JSON of a Flow.
	MinimalFlow = `{"pk":"` + FlowID + `","policybindingmodel_ptr_id":"` + OtherID + `","name":"n","slug":"s","title":"t",` +
		`"designation":"recovery","stages":[],"policies":[],"cache_count":0,"export_url":"/e"}`
	// MinimalStage is the JSON of a Stage.
	MinimalStage = `{"pk":"` + OtherID + `","name":"n","component":"","verbose_name":"v","verbose_name_plural":"vs"}`
	// MinimalFlowSet is the JSON of a FlowSet.
	MinimalFlowSet = `{"pk":"` + FlowID + `","policybindingmodel_ptr_id":"` + OtherID + `","name":"n","slug":"s","title":"t",` +
		`"designation":"recovery","export_url":"/e"}`
	// MinimalBinding is the JSON of a FlowStageBinding.
	MinimalBinding = `{"pk":"` + FlowID + `","policybindingmodel_ptr_id":"` + OtherID + `","target":"` + OtherID + `",` +
		`"stage":"` + OtherID + `","stage_obj":` + MinimalStage + `,"order":-3}`
)

// FlowPageBody returns the JSON of a list with one page. The rows argument is
// the count that the page states; results is the JSON array.
func FlowPageBody(rows int, results string) string {
	return fmt.Sprintf(
		`{"pagination":{"next":0,"previous":0,"count":%d,"current":1,"total_pages":1,"start_index":%d,"end_index":%d},"results":%s}`,
		rows,
		min(rows, 1),
		rows,
		results,
	)
}

// TwoFlowsBody is the JSON of a list that contains two flows, which have the
// same primary key.
var TwoFlowsBody = FlowPageBody(2, "["+MinimalFlow+","+MinimalFlow+"]")

// TwoFlows is a response with [TwoFlowsBody].
var TwoFlows = Reply(http.StatusOK, JSON, TwoFlowsBody)
