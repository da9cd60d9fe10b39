// Package browser looks at pages as a person does, with Debian's Chromium: it opens them in a window of some width, light or
// dark, with JavaScript or without, clicks, reads, and keeps pictures of them in bin/screenshots. axe-core tells what keeps
// people from using a page.
//
//	page := browser.Open(t, root).Window(t, browser.Look{Width: 1280, Dark: true})
//	page.Go(t, address)
//	page.Picture(t, "home")
package browser
