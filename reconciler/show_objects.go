package reconciler

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/rollout"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// Objects implements view.Source. Owned objects are as the watches show them; pods are listed. Where they cannot be, their
// workloads say why.
func (v *View) Objects(ctx context.Context, of view.Key) ([]view.Object, error) {
	left, s, err := v.look(Key(of))
	if err != nil {
		return nil, err
	}
	t := tree{left: left, byUID: map[string]string{}, hash: map[string]string{}, namespaces: map[string]bool{}}
	t.own(s)
	if !s.ready() {
		return t.objects, nil
	}
	for _, namespace := range slices.Sorted(maps.Keys(t.namespaces)) {
		family, err := v.families.of(ctx, s, namespace)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			t.blind(namespace, err)
		}
		t.grow(family)
	}
	return t.objects, nil
}

// look is what a pass left of an environment, with its cluster.
func (v *View) look(k Key) (shown, *site, error) {
	served, ok := v.agent.config.Serves(k.Environment)
	if !ok {
		return shown{}, nil, view.ErrUnknown
	}
	left, known := v.last(k)
	if !known {
		if at, err := v.agent.catalog.find(k.Application); err == nil {
			if _, ok := at.app.Environment(k.Environment); ok {
				return shown{}, v.agent.sites[served.Cluster], nil
			}
		}
		return shown{}, nil, view.ErrUnknown
	}
	return left, v.agent.sites[served.Cluster], nil
}

// tree puts the objects of an environment together.
type tree struct {
	left       shown
	objects    []view.Object
	byUID      map[string]string // an object's ID
	hash       map[string]string // of the proven template, by the UID of the staged workload
	namespaces map[string]bool   // that have workloads
}

// owned is an object of an environment as it is named.
type owned struct {
	apply.Entry
	name string
	hook string // the moment of the hook that made it; empty: none did
}

// owned are the objects of the environment, and those that its hooks left.
func (s shown) owned() []owned {
	names := map[string]int{}
	all := make([]owned, 0, len(s.inventory)+len(s.hooks))
	for _, entry := range s.inventory {
		names[entry.ID.String()]++
		all = append(all, owned{Entry: entry})
	}
	for _, run := range s.hooks {
		if _, is := s.inventory.Find(run.ID); is { // it is a hook no more
			continue
		}
		names[run.ID.String()]++
		all = append(all, owned{Entry: run.Entry, hook: cmp.Or(string(run.Moment), "hook")})
	}
	for i := range all {
		all[i].name = shownID(all[i].ID, names[all[i].ID.String()] > 1)
	}
	return all
}

// own adds the objects that the environment owns.
func (t *tree) own(s *site) {
	for _, entry := range t.left.owned() {
		o := view.Object{
			ID: entry.name, Group: entry.Group, Kind: entry.Kind, Namespace: entry.Namespace, Name: entry.Name, Hook: entry.hook,
			Drift: t.left.drift[entry.ID.String()], Reason: t.left.reasons[entry.ID.String()],
		}
		uid := entry.UID
		switch seen, there := s.seen(entry.Entry); {
		case there:
			o.Health, uid = string(seen.Status), cmp.Or(seen.UID, uid)
			if o.Reason = cmp.Or(o.Reason, t.left.secrets.mask(oneLine(seen.Message))); seen.Status == rollout.Current {
				o.Reason = ""
			}
		case s.ready() && s.synced(entry.Entry, t.left.cell.Namespace):
			if entry.hook != "" { // it went as its delete policy says, or by its own time to live
				continue
			}
			o.Health, o.Reason = string(rollout.NotFound), cmp.Or(o.Reason, "it is not there")
		default:
			o.Health, o.Reason = string(rollout.Unknown), cmp.Or(o.Reason, "not seen yet")
		}
		if uid != "" {
			t.byUID[uid] = o.ID
			if proven := t.left.proven[entry.ID.String()]; proven != "" {
				t.hash[uid] = proven
			}
		}
		if hasPods(entry.ID) {
			t.namespaces[entry.Namespace] = true
		}
		t.objects = append(t.objects, o)
	}
}

// seen is an object as its watch shows it.
func (s *site) seen(entry apply.Entry) (rollout.Object, bool) {
	if !s.ready() {
		return rollout.Object{}, false
	}
	return s.observer.Get(rollout.ID(entry.ID))
}

// shownID names an object; where another one of the environment has the same name, with its group.
func shownID(id apply.ID, twice bool) string {
	if twice && id.Group != "" {
		id.Kind += "." + id.Group
	}
	return id.String()
}

// hasPods reports whether an object is, or makes, pods that are shown under it.
func hasPods(id apply.ID) bool {
	return isStaged(id) || id.Group == "batch" && id.Kind == "Job" || id.Group == "" && (id.Kind == "Pod" || id.Kind == "ReplicationController") ||
		id.Group == "apps" && id.Kind == "ReplicaSet"
}

// blind says of the workloads of a namespace why their pods are not known.
func (t *tree) blind(namespace string, err error) {
	for i := range t.objects {
		if o := &t.objects[i]; o.Namespace == namespace && hasPods(apply.ID{Group: o.Group, Kind: o.Kind}) && o.Kind != "Pod" {
			text := "its pods cannot be listed: " + oneLine(err.Error())
			if o.Reason != "" {
				text = o.Reason + "; " + text
			}
			o.Reason = text
		}
	}
}

// grow adds the ReplicaSets and pods under what is there.
func (t *tree) grow(f rollout.Family) {
	peopled := map[string]bool{}
	for _, p := range f.Pods {
		peopled[p.OwnerUID] = true
	}
	sets := map[string]rollout.FamilySet{}
	for _, s := range f.Sets {
		sets[s.UID] = s
		parent, ours := t.byUID[s.OwnerUID]
		if !ours || s.Want == 0 && !peopled[s.UID] {
			continue
		}
		o := view.Object{ID: apply.ID(s.ID).String(), Parent: parent, Group: s.Group, Kind: s.Kind, Namespace: s.Namespace, Name: s.Name, Health: string(rollout.Current)}
		if s.Ready < s.Want {
			o.Health, o.Reason = string(rollout.InProgress), fmt.Sprintf("Ready: %d/%d", s.Ready, s.Want)
		}
		t.byUID[s.UID] = o.ID
		t.objects = append(t.objects, o)
	}
	for _, p := range f.Pods {
		made := view.Pod{IP: p.IP, Node: p.Node, Images: p.Images, Ready: p.Ready, Restarts: p.Restarts, Created: p.Created}
		if id, own := t.byUID[p.UID]; own {
			i := slices.IndexFunc(t.objects, func(o view.Object) bool { return o.ID == id })
			t.objects[i].Pod = &made
			continue
		}
		parent, ours := t.byUID[p.OwnerUID]
		if !ours {
			continue
		}
		hash, workload := p.Hash, p.OwnerUID
		if s, ok := sets[p.OwnerUID]; ok {
			hash, workload = s.Hash, s.OwnerUID
		}
		if proven := t.hash[workload]; proven != "" {
			made.Proven, made.New = hash == proven, hash != proven
		}
		t.objects = append(t.objects, view.Object{
			ID: apply.ID(p.ID).String(), Parent: parent, Kind: p.Kind, Namespace: p.Namespace, Name: p.Name, Health: string(p.Status),
			Reason: t.left.secrets.mask(oneLine(p.Message)), Pod: &made,
		})
	}
}
