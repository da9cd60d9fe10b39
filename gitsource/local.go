package gitsource

import "maps"

// Local says what the references were at the last fetch, as Fetch does, without asking the server: what an agent
// goes on with that was restarted while the server is away. An empty mirror gives an empty map.
func (r *Repository) Local() map[string]string {
	m := r.reader()
	defer m.release()
	refs := maps.Clone(m.store.Refs())
	answer := make(map[string]string, len(refs))
	for name, ref := range refs {
		answer[name] = ref.Commit()
	}
	return answer
}
