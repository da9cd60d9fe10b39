package worker

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	Main()
	probe()
	os.Exit(m.Run())
}
