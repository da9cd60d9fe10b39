package config

import (
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Promotion says how releases come from other environments of the same file: what was proven there may be pinned here.
type Promotion struct {
	// From is the environment that a release must have been proven in, or a list of them, where it must have been in each.
	From OneOrMore `json:"from"`
	// By is merge-request (the agent keeps one open that moves the pin, and a person merges it), commit (the agent moves the
	// pin, for which agent.yaml must let it push to the polled branch; those of a repository that are due together go into one
	// commit) or manual (a person moves it). After a release that failed the pin goes back by commit where that is said, and else
	// by a merge request.
	By PromotionBy `json:"by,omitempty"`
	// Group moves the pins of several applications in one request. It is a DNS label that environments of one repository have in
	// common, all served by one agent and all with the same by, which may not be manual. Each finds its candidate as it would
	// alone. With by: merge-request one request on branch sluice/group/<group>, in a ledger sluice/group/<repository>/<group>,
	// asks for the candidates of all that have one, by one commit that moves their pins; it is due, as the status
	// sluice/promotable/group/<group> on it says, when each of these is, and it names who waits for what. With by: commit the
	// pins go in one commit, when each that has a candidate is due. Who is paused, or whose file is faulty, is named in the
	// request and not in it, and keeps nobody waiting; while one cannot be looked at, all stays as it is. Who closes the request
	// declines for each what it asked for; an approval, a foreign commit, the label sluice/hold or a place in a merge queue holds
	// all of it where it is, and its text then says what is newer. It is withdrawn when nobody in it has a candidate. Where its
	// text would be longer than forges allow, the differences of objects are left out first. After a release that failed each
	// pin goes back alone.
	Group string `json:"group,omitempty"`
	// When says what must be true before. Nothing keeps a person from merging earlier, unless the forge was told to.
	When PromotionWhen `json:"when,omitzero"`
}

// PromotionBy is who moves a pin.
type PromotionBy string

// Who moves it.
const (
	ByMergeRequest PromotionBy = "merge-request"
	ByCommit       PromotionBy = "commit"
	ByHand         PromotionBy = "manual"
)

// PromotionWhen says when a release is due. All that is said must be true.
type PromotionWhen struct {
	// HealthyFor is how long the release must have been healthy in each environment that it comes from, as that environment's
	// agent watched it, without a break; at most 365d.
	HealthyFor Duration `json:"healthyFor,omitzero"`
	// Schedule is a cron expression of five fields. Each firing promotes the newest candidate that there is then, and between
	// them nothing is due.
	Schedule string `json:"schedule,omitempty"`
	// TimeZone of the schedule is an IANA name, such as Europe/Berlin; UTC where none is named. Clocks do to it what they do
	// to windows.
	TimeZone string `json:"timeZone,omitempty"`
	// Checks are names of commit statuses or check runs at the forge that must be green on the commit. The agent's own, which
	// begin with sluice/, are none.
	Checks []string `json:"checks,omitempty"`
	// Releases is how many must have been proven in the environment it comes from since the last promotion; 0 to 1000.
	Releases int `json:"releases,omitempty"`
	// Quiet is how long nothing must have been proven there; at most 365d.
	Quiet Duration `json:"quiet,omitzero"`
}

// OneOrMore is a list of names, or a single one, written as a word.
type OneOrMore []string

// Times is when the schedule fires, and in which zone; no schedule where none is asked for. Of one that was found valid there
// is no error.
func (w PromotionWhen) Times() (cron.Schedule, *time.Location, error) {
	if w.Schedule == "" {
		return nil, nil, nil
	}
	zone, err := timeZone(w.TimeZone)
	if err != nil {
		return nil, nil, err
	}
	times, err := schedule(w.Schedule)
	return times, zone, err
}

func defaultPromotion(p *Promotion) {
	if p == nil {
		return
	}
	setDefault(&p.By, ByMergeRequest)
	if p.When.Schedule != "" {
		setDefault(&p.When.TimeZone, defaultTimeZone)
	}
}

// checkPromotion validates how releases come to an environment; circle is how it would come from itself.
func checkPromotion(d *document, at string, e *Environment, known names, circle string) {
	p := e.Promotion
	if p == nil {
		return
	}
	if !e.Follow.Pin {
		d.reject(at, "needs follow: pin: a promotion moves the pin")
	}
	if len(p.From) == 0 {
		d.reject(at+".from", "is required")
	}
	once := seen{}
	for i, from := range p.From {
		item := at + ".from"
		if len(p.From) > 1 {
			item = d.item(item, i)
		}
		once.once(d, item, from, "is there already")
		switch {
		case from == e.Name:
			d.reject(item, "must be another environment %s", got(from))
		case !known.present[from]:
			d.reject(item, "must be an environment of this file %s", got(from))
		}
	}
	if circle != "" {
		d.reject(at+".from", "must not lead back to the environment itself: %s", circle)
	}
	d.oneOf(at+".by", string(p.By), string(ByMergeRequest), string(ByCommit), string(ByHand))
	if p.Group != "" && d.label(at+".group", p.Group) && p.By == ByHand {
		d.reject(at+".group", "is only for by: merge-request and by: commit %s", got(p.Group))
	}
	checkPromotionWhen(d, at+".when", p.When)
}

// checkGroups faults environments of a group that are promoted in another way than the first of it.
func checkGroups(d *document, environments []Environment) {
	first := map[string]*Environment{}
	for i := range environments {
		e := &environments[i]
		if e.Promotion == nil || e.Promotion.Group == "" {
			continue
		}
		if of := first[e.Promotion.Group]; of != nil && of.Promotion.By != e.Promotion.By {
			d.scope = scope{block: i + 1}
			d.reject(d.item("environments", i)+".promotion.group", "must have the same by as %s %s", of.Name, got(string(e.Promotion.By)))
			d.scope = scope{}
		} else if of == nil {
			first[e.Promotion.Group] = e
		}
	}
}

// maxPromotionWait is as long as a release may be made to wait; longer is a slip of the pen.
const maxPromotionWait = 365 * day

func checkPromotionWhen(d *document, at string, w PromotionWhen) {
	if w.HealthyFor.Std() > maxPromotionWait {
		d.reject(at+".healthyFor", "must be at most 365d %s", got(w.HealthyFor.String()))
	}
	if w.Quiet.Std() > maxPromotionWait {
		d.reject(at+".quiet", "must be at most 365d %s", got(w.Quiet.String()))
	}
	if w.Releases < 0 || w.Releases > 1000 {
		d.reject(at+".releases", "must be 0..1000 %s", got(itoa(w.Releases)))
	}
	switch {
	case w.Schedule != "":
		if _, err := schedule(w.Schedule); err != nil {
			d.reject(at+".schedule", "%s %s", err.Error(), got(w.Schedule))
		}
		if _, err := timeZone(w.TimeZone); err != nil {
			d.reject(at+".timeZone", "%s %s", err.Error(), got(w.TimeZone))
		}
	case w.TimeZone != "":
		d.reject(at+".timeZone", "is only for schedule")
	}
	checkNamesOfChecks(d, at+".checks", w.Checks)
}

// maxCheck is what forges let such a name have.
const maxCheck = 255

func checkNamesOfChecks(d *document, at string, checks []string) {
	once := seen{}
	for i, name := range checks {
		item := d.item(at, i)
		once.once(d, item, name, "is there already")
		switch {
		case name == "" || len(name) > maxCheck || hasControl(name) || strings.TrimSpace(name) != name:
			d.reject(item, "must be the name of a check, one line of at most %d characters %s", maxCheck, got(name))
		case strings.HasPrefix(name, "sluice/"):
			d.reject(item, "must not begin with sluice/: the agent would wait for itself %s", got(name))
		}
	}
}

// circles are the environments that would be promoted from themselves by way of others, and that way. Where there are some,
// at least one of them is found; an environment is named with the first that it is found in.
func circles(environments []Environment) map[string]string {
	from := map[string]OneOrMore{}
	for _, e := range environments {
		if _, twice := from[e.Name]; !twice && e.Promotion != nil {
			from[e.Name] = e.Promotion.From
		}
	}
	found, place, done := map[string]string{}, map[string]int{}, map[string]bool{}
	var way []string
	var walk func(name string)
	walk = func(name string) {
		place[name] = len(way)
		way = append(way, name)
		for _, next := range from[name] {
			at, under := place[next]
			switch {
			case under && next != name && found[name] == "":
				named(found, way[at:])
			case !under && !done[next]:
				walk(next)
			}
		}
		way, done[name] = way[:len(way)-1], true
		delete(place, name)
	}
	for _, e := range environments {
		if !done[e.Name] {
			walk(e.Name)
		}
	}
	return found
}

// mostNamed bounds how much of a circle is shown.
const mostNamed = 10

// named notes of each environment of a circle how it leads back there.
func named(found map[string]string, circle []string) {
	for i, name := range circle {
		if found[name] != "" {
			continue
		}
		round := slices.Concat(circle[i:min(len(circle), i+mostNamed)], circle[:min(i, max(0, i+mostNamed-len(circle)))])
		if len(round) < len(circle) {
			round = append(round, "...")
		}
		found[name] = strings.Join(append(round, name), " from ")
	}
}
