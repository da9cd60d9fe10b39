// Package helm renders a chart that lies in a tree, without a cluster, a network or a disk.
//
// Helm's loader and template engine do the work; everything around them is this package's, because Helm's own client
// adds the API versions that a program happens to link, follows http and file references of a values schema, and
// cannot read from a Git tree. The steps of Render read in order: collect the files (.helmignore, archives unpacked
// within a budget), merge the values, then for each pass load, resolve dependencies, validate, execute, parse.
//
// Same bytes in, same bytes out, but for what a chart makes by chance or by the clock. What depends on the order of a map
// is settled: it comes in the order of the keys. Of a chart that names a function of chance or of the clock the variant
// Other can be rendered, in which everything that they give is something else (variant.go), so that whoever compares the
// two knows what is generated. `lookup` finds what Kept has and nothing else, DNS answers nothing, .Release says first
// install.
//
// A template is a program and Go cannot stop one: a loop without end keeps its goroutine until the process ends, and
// memory has no bound here. Callers that render for strangers do so in a process of its own. Dates are formatted in
// the process's time zone, which is therefore best set to UTC.
package helm
