package weft_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A failure is something that has gone wrong in the original Weft. It must not
// here: tests keep it out, or something makes it impossible.
type failure struct {
	what  string
	tests string // as "folder.TestName", "tests.TestName" or "script.txtar", with spaces between them
	why   string // it cannot happen
}

// promises are what release 0.1.0 promised and did not do, or did badly.
var promises = []failure{
	1: {"submission failed with most releases of its broker", "", "the broker is a part of this module"},
	2: {"run --spec, load -i, System: OK, the result object, exit 124, short ids",
		"run_spec.txtar load.txtar status.txtar json.txtar exit_codes.txtar autostart.txtar taskspec.TestShortTID", ""},
	3: {"flags in the documentation that did not exist", "help.txtar exit_codes.txtar",
		"help is made from the grammar, so that it cannot show another one"},
	4: {"stop did not stop commands, nor worker stop managers, and --all hit the manager",
		"tests.TestEndTask tests.TestStopManager stop.txtar manager.txtar task_find.txtar", "a manager is no task"},
	5: {"kill left the status running and the command alive", "tests.TestEndTask tests.TestKillConsumer", ""},
	6: {"timeouts and limits killed a wrapper and not the command",
		"internal/consumer.TestNothingIsLeft internal/consumer.TestLimits tests.TestTimeoutAlone limits.txtar", ""},
	7: {"waiters looked at the oldest 512 events only", "tests.TestHistoryLogWindow", ""},
	8: {"run and result waited for ever for tasks that were cancelled, killed, lost or never begun",
		"tests.TestEndTask tests.TestKillConsumer tests.TestKillBeginner manager.TestBadRequest result.txtar", ""},
	9:  {"result of a running or a failed task was an error", "result.txtar", ""},
	10: {"two managers at once", "manager.TestOneLeads tests.TestRivalManagers tests.TestFirstRuns many.txtar", ""},
	11: {"processes that had done their task stayed, in a finaliser", "internal/consumer.TestIdleConsumerLeaves",
		"nothing is left to finalisers, and every script waits for the end of all its processes"},
	12: {"the idle timeout killed long quiet work", "manager.TestBusyManagerStays internal/ledger.TestLeaveIdle", ""},
	13: {"large output was deleted before it was read, and no output was live",
		"tests.TestLargeOutput tests.TestTidyBesideTasks tests.TestLive output.txtar stream.txtar internal/consumer.TestStreamOutput", ""},
	14: {"tasks had the folder and the environment of whoever started the manager",
		"tests.TestSubmitter tests.TestManyEnvironments", ""},
	15: {"all parts slept between looks", "broker/sqlite.TestRingFromAnotherProcess manager.TestStopIsQuiet",
		"every wait is for a signal; BENCHMARKS.md has the times"},
	16: {"no recovery from crashes, stale registrations",
		"tests.TestKillManager tests.TestKillConsumer tests.TestRandomKills internal/ledger.TestOrphans internal/ledger.TestLive", ""},
	17: {"negative timeouts, names of specs with .., limits that had no effect",
		"taskspec.TestValidateRefuses taskspec.TestValidateAccepts tests.TestSpecsStayInside internal/consumer.TestLimits tests.TestFunctionEnds", ""},
	18: {"a limit ended an interactive task twice", "tests.TestSession tests.TestSessionOfLost interactive.txtar", "every end is one transaction"},
	19: {"args that is a string was taken for its letters", "taskspec.TestCommandItemRefuses", ""},
}

// incidents are what went wrong in its later releases.
var incidents = []failure{
	1: {"several managers were started at once, and launchers missed theirs",
		"tests.TestFirstRuns manager.TestStart many.txtar", ""},
	2: {"an ambiguous registry stopped all work", "tests.TestRivalManagers manager.TestOneLeads",
		"who leads is who holds a lock; records of managers decide nothing"},
	3: {"a zombie counted as alive", "internal/proc.TestLifeOfAChild internal/proc.TestWaitForGrandchild", ""},
	4: {"signals to processes that had got the pid of another", "internal/proc.TestPIDReuse tests.TestForeignProcessLives", ""},
	5: {"a submission was taken back that had begun",
		"tests.TestFirstRunKilled tests.TestKillClient tests.TestKillBeginner tests.TestIdleExit internal/ledger.TestSubmitFails",
		"nothing is taken back"},
	6: {"reserved work that nobody ran",
		"tests.TestStaleAssignment internal/consumer.TestManagerDiesBeforePermission manager.TestStop tests.TestRandomKills", ""},
	7: {"a process was started without its work", "internal/ledger.TestSubmitFails internal/consumer.TestPermission",
		"a request and its work item are one message"},
	8: {"a manager that died at once counted as started",
		"manager.TestStartFails manager.TestUselessExecutable tests.TestKillBeginner", ""},
	9: {"a control thread ended a task while it ran, and the store was damaged",
		"tests.TestRandomKills tests.TestEndTask manager.TestControl", "TestRandomKills checks the store too"},
	10: {"the store was used inside a signal handler", "interrupt.txtar tests.TestStopManager",
		"signals come through a channel"},
	11: {"STOP waited for the next sample", "internal/consumer.TestStopDespitePolling limits.txtar", ""},
	12: {"grandchildren stayed",
		"internal/consumer.TestNothingIsLeft monitor.TestKill monitor.TestKillCatchesHoppers tests.TestKillManager tests.TestKillConsumer", ""},
	13: {"a result was lost because the exit was seen first",
		"tests.TestFastTasks internal/consumer.TestDrain internal/attempt.TestEndingOrders tests.TestFunctionEnds", ""},
	14: {"success was taken for a timeout", "internal/attempt.TestEndingOrders internal/attempt.TestEndingAtLimit", ""},
	15: {"a task had completed before its output could be read", "tests.TestFastTasks internal/ledger.TestFinishOnce", ""},
	16: {"the write of an end was lost",
		"internal/ledger.TestFinishFails internal/consumer.TestManagerDiesBeforeAcknowledgement broker/sqlite.TestBusy internal/consumer.TestFullDiskOfATask", ""},
	17: {"a task was declared lost before its end arrived",
		"internal/ledger.TestFinishOnce tests.TestStoppedConsumer tests.TestStoppedManager tests.TestKillConsumer", ""},
	18: {"late events made ended tasks run again",
		"taskspec.TestTerminalStaysTerminal internal/ledger.TestLives internal/ledger.TestNoteUsage", ""},
	19: {"the result was looked for in the wrong queue", "internal/ledger.TestEndRings tests.TestGroup tests.TestFunctionWired io.txtar", ""},
	20: {"a reader of the log missed what was committed late",
		"broker/sqlite.TestFollowProcesses broker/sqlite.TestHistoryFollower tests.TestGroupLosesLog", ""},
	21: {"a mark of streaming hid results, and result --all took half of them", "result.txtar tests.TestTaken tests.TestPendingResultsOfStream", ""},
	22: {"interactive tasks lost their last output", "tests.TestSessionOutput cmd/weft.TestTerminalEnd", ""},
	23: {"an idle manager was busy", "manager.TestStopIsQuiet manager.TestIdleUntil", "BENCHMARKS.md has what an idle one uses"},
	24: {"queues and records grew, and removing them took the manager's time",
		"tests.TestRetention tests.TestTidyTwice tests.TestTidyKilled tests.TestTidyBesideTasks internal/ledger.TestExpired broker/sqlite.TestPlans",
		"small transactions, in the background, remove what the retention does not keep"},
	25: {"cleaning up took the queues of quiet tasks, and the clock stalled it",
		"tests.TestTidyEnvironments internal/ledger.TestDropEnvironmentsMeanwhile broker/sqlite.TestBackend",
		"what waits or runs, and what it needs, never goes"},

	// What else that report lists.
	26: {"replacing a manager cancelled its tasks, and it came back", "replace.txtar manager.TestTenureEnds tests.TestServe", ""},
	27: {"a manager left by a time that it had remembered", "internal/ledger.TestLeaveIdle tests.TestIdleExit", ""},
	28: {"who asked for a stop waited no longer than the stop took", "manager.txtar tests.TestStopManager",
		"whoever asks waits without a bound of its own"},
	29: {"a manager ended twice", "tests.TestStopIdleExit internal/ledger.TestArriveAndLeave", ""},
	30: {"programs did not exit for what they had not closed", "broker/sqlite.TestCloseAwaitsCompact",
		"main exits, whatever is open, and packages are tested for goroutines that stay"},
	31: {"run took work that was not its own", "tests.TestKillClient", "a client takes no work: it only submits"},
	32: {"an empty work item became an argument", "taskspec.TestCommandItem stdin.txtar function.txtar", ""},
	33: {"load gave waiting tasks new ids", "internal/ledger.TestLoadRequests load.txtar", ""},
	34: {"what was frozen could not be handed to another process", "taskspec.TestEncodedSpecComesBack",
		"specs go to other processes as JSON"},
	35: {"archives that were written at once cut each other", "tests.TestDumpFile tests.TestTidyKilled", "there is no archive"},
}

// compositions are the weak points of its pipelines and of its tasks that stay up.
var compositions = []failure{
	1: {"a pipeline waited for ever for a stage that was killed", "tests.TestKillPipeline internal/ledger.TestPipelineFails", ""},
	2: {"a message of a stage to its pipeline was lost, and the run never ended", "internal/ledger.TestPipelineModel",
		"the transaction that ends a stage takes the pipeline on"},
	3: {"an input was written twice, or null was none", "internal/ledger.TestPass internal/ledger.TestPipelineQueues", ""},
	4: {"a run cost two processes for each stage and two more", "", "a stage is a task, and a pipeline no process; BENCHMARKS.md has what it costs"},
	5: {"stages were shown in JSON only", "pipeline.txtar", ""},
	6: {"a large output reached the next stage as a path to nothing", "internal/ledger.TestPassFile pipeline.txtar pipeline_function.txtar", ""},
	7: {"a stop ended the pipeline before its stages", "internal/ledger.TestOrderedTooLate internal/ledger.TestResume pipeline.txtar", ""},
	8: {"a failed item ended the task that should go on, and which result was whose was guessed by time",
		"internal/ledger.TestItemEnds items.txtar tests.TestItemsOfKilledManagers", ""},
	9: {"services of pipelines were not started, and switches had no effect", "autostart.txtar tests.TestServiceSwitches", ""},
}

// TestHistory checks that each failure has its tests, and that these exist.
func TestHistory(t *testing.T) {
	t.Parallel()
	known := knownTests(t)
	for name, list := range map[string][]failure{"promise": promises, "incident": incidents, "composition": compositions} {
		for i, f := range list[1:] {
			if f.what == "" || f.tests == "" && f.why == "" {
				t.Errorf("%s %d: name a test, or say why it needs none", name, i+1)
			}
			for test := range strings.FieldsSeq(f.tests) {
				if !slices.Contains(known, test) {
					t.Errorf("%s %d, %s: there is no %s", name, i+1, f.what, test)
				}
			}
		}
	}
}

// knownTests returns the tests of the module, as failures name them.
func knownTests(t *testing.T) (known []string) {
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	module := os.DirFS("..")
	err := fs.WalkDir(module, ".", func(name string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".txtar") {
			known = append(known, d.Name())
		}
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		source, err := fs.ReadFile(module, name)
		for _, match := range function.FindAllSubmatch(source, -1) {
			known = append(known, path.Dir(name)+"."+string(match[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}
