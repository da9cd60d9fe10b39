package policies

import "math"

// Number is the number that a reading is judged by; false: there is none.
func (a Analysis) Number(r Reading) (value float64, ok bool) {
	if a.Equals != "" || r.Result != "" {
		return 0, false
	}
	value, _, fault := a.judged(r)
	return value, fault == "" && !math.IsNaN(value) && !math.IsInf(value, 0)
}
