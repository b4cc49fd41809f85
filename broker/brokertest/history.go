package brokertest
var historyCases []testCase
