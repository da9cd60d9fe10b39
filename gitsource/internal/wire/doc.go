// Package wire speaks Git's own protocols with one remote repository, over HTTP and over SSH: it lists references, asks
// for a pack, and sends changes of references. It keeps no objects and knows nothing of mirrors.
//
// Protocol version 2 is asked for everywhere, because only there a server sends the references that were asked for and
// no others: a poll of one branch costs the same beside three references or three thousand. A server that answers with
// version 0 or 1 is understood too.
//
// The main type is Remote. A Conn is one conversation for reading; over SSH it is one connection, over HTTP it is as
// many requests as needed, without the greeting once the server is known to speak version 2:
//
//	conn, err := remote.Open(ctx)
//	refs, err := conn.List(ctx, "refs/heads/main")
//	pack, err := conn.Pack(ctx, wants, haves)
//
// It refuses to follow a redirect with credentials to another host, to follow one from https to http, to talk SSH to a
// host that known_hosts does not name, and to put a credential into an error.
package wire
