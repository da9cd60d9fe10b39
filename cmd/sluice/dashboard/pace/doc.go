// Package pace bounds how often and how many at once each of many may ask, and what all of them together cost in memory: who
// asked nothing for a while is forgotten. It keeps no goroutine and reads no clock.
//
//	each := pace.New(pace.Config{PerSecond: 20, Burst: 80, Open: 32})
//	leave, ok := each.Enter(name, time.Now())
package pace
