package world

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Visitor is a person with a browser of their own, as far as pages without scripts go: it keeps cookies, is led on, and fills in
// forms.
type Visitor struct {
	// As is who they are at the forge. Without a name they never get past its login.
	As Account
	// Forms are the addresses of the forms that were filled in, in their order.
	Forms []string

	client *http.Client
}

// NewVisitor opens a browser without cookies.
func NewVisitor(t testing.TB, as Account) *Visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Visitor{As: as, client: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

// Page is what a browser shows.
type Page struct {
	Status int
	URL    *url.URL
	Text   string
	Header http.Header
}

// Open opens a page, and on the way logs in at the forge and lets an application know who it is, if the forge asks.
func (v *Visitor) Open(t testing.TB, address string) Page {
	t.Helper()
	page := v.send(t, http.MethodGet, address, nil)
	for range 3 {
		action, fields, asked := form(page)
		if !asked || v.As.Name == "" {
			return page
		}
		v.Forms = append(v.Forms, page.URL.Path)
		if _, login := fields["user_name"]; login {
			fields.Set("user_name", v.As.Name)
			fields.Set("password", v.As.password)
		} else {
			fields.Set("granted", "true")
		}
		page = v.send(t, http.MethodPost, action, fields)
	}
	return page
}

func (v *Visitor) send(t testing.TB, method, address string, fields url.Values) Page {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(fields.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodGet {
		request.Body, request.ContentLength = http.NoBody, 0
	} else {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	request.Header.Set("Accept", "text/html")
	answer, err := v.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Page{answer.StatusCode, answer.Request.URL, string(text), answer.Header}
}

var (
	formTag  = regexp.MustCompile(`(?s)<form[^>]*\bmethod="post"[^>]*\baction="([^"]*)"[^>]*>(.*?)</form>|<form[^>]*\baction="([^"]*)"[^>]*\bmethod="post"[^>]*>(.*?)</form>`)
	inputTag = regexp.MustCompile(`<input[^>]*>`)
	nameOf   = regexp.MustCompile(`\bname="([^"]*)"`)
	valueOf  = regexp.MustCompile(`\bvalue="([^"]*)"`)
)

// form is the one of the forge's login, or of its question whether an application may know who somebody is.
func form(page Page) (action string, fields url.Values, asked bool) {
	for _, found := range formTag.FindAllStringSubmatch(page.Text, -1) {
		action, inner := found[1]+found[3], found[2]+found[4]
		fields := url.Values{}
		for _, input := range inputTag.FindAllString(inner, -1) {
			name, value := nameOf.FindStringSubmatch(input), valueOf.FindStringSubmatch(input)
			if name == nil {
				continue
			}
			fields.Set(name[1], "")
			if value != nil {
				fields.Set(name[1], html.UnescapeString(value[1]))
			}
		}
		to, err := page.URL.Parse(html.UnescapeString(action))
		if err == nil && (fields.Has("user_name") || strings.HasSuffix(to.Path, "/login/oauth/grant")) {
			return to.String(), fields, true
		}
	}
	return "", nil, false
}

// NewClient makes the forge know an application that people log in to by it.
func (f *Forge) NewClient(t testing.TB, owner Account, name, redirect string) (id, secret string) {
	t.Helper()
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	f.must(t, owner, http.MethodPost, "/user/applications/oauth2", map[string]any{
		"name": name, "redirect_uris": []string{redirect}, "confidential_client": true,
	}, &made)
	return made.ID, made.Secret
}

// NewOrganisation makes one, private, that somebody owns.
func (f *Forge) NewOrganisation(t testing.TB, owner Account, name string) {
	t.Helper()
	f.must(t, owner, http.MethodPost, "/orgs", map[string]any{"username": name, "visibility": "private"}, nil)
}
