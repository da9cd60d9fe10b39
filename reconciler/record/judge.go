package record

// Judged is a line as it was found in the notes of an environment, and what it is worth.
type Judged struct {
	ParsedLine
	Verdict Verdict
	Notes   string // the environment whose notes it lies in
}

// Told reports whether the line may be told as what happened: it decides, or nobody can say, as no keys were given.
func (j Judged) Told() bool { return j.Verdict.Decisive() || j.Verdict.Standing == Unverified }

// Judge parses and verifies the notes of one environment, in the order of [ParseNotes]. A line that names another
// environment than the one whose notes it lies in was copied there, and counts for nothing.
func Judge(environment string, notes map[string][]byte, keys Keyring) []Judged {
	return JudgeLines(environment, ParseNotes(notes), keys)
}

// JudgeLines is [Judge] for lines that were parsed already, of whole chains.
func JudgeLines(environment string, lines []ParsedLine, keys Keyring) []Judged {
	verdicts := Verify(lines, keys)
	judged := make([]Judged, len(lines))
	for i, line := range lines {
		judged[i] = Judged{line, verdicts[i], environment}
		if line.Err == nil && line.Line.Environment != environment && judged[i].Told() {
			judged[i].Verdict = Verdict{BrokenChain, "it lies in the notes of " + environment + " and names " + clean(line.Line.Environment)}
		}
	}
	return judged
}
