import { isUnfinished, type Stopped, type StudentOutcome } from '../core/outcome.js'
import type { Drift } from '../core/results.js'
import type { Agreed, Safety } from '../core/safety.js'
import { BaseCommand } from './base-command.js'
import { askConsent } from './consent.js'
import { errorLines } from './error-view.js'
import {
  concurrencyFlag,
  dbFlag,
  dryRunFlag,
  forceFlag,
  limitsFlag,
  maxChangeFlag,
  rosterFlag,
  workspaceFlag,
  yesFlag,
} from './flags.js'
import type { Interrupt } from './interrupt.js'
import { runPipeline, type Step, sayInPipeline } from './pipeline.js'
import { terminalWidth } from './table.js'
import { driftLines } from './views/plan-lines.js'

/** What a plan has at least. */
interface Planned {
  changes: readonly unknown[]
  safety: Safety
}

/** What the result of applying a plan has at least. */
interface Applied {
  students: readonly StudentOutcome[]
}

/** A command that changes OpenRouter, told as a story. */
export interface Story<Plan extends Planned, Result extends Applied> {
  /** Makes a plan and applies it. */
  job: {
    readonly plan: Plan
    /** What changed without this tool, and this run was the first to see. */
    readonly drift: readonly Drift[]
    /** Why the run ended before its time, where it did. */
    readonly stoppedBy: Error | undefined
    /** Does the work of a row that applies the plan; an error then stops the run, which still ends in good order. */
    apply(work: () => Promise<string | undefined>): Promise<string | undefined>
    result(): Result
  }
  /** The rows that end with a plan, and change nothing. */
  toPlan: Step<object>[]
  showPlan: (plan: Plan, width: number | undefined, options: { dryRun: boolean }) => string[]
  /** Whether even a routine plan is asked about. */
  alwaysAsk?: boolean
  /** The rows that apply the plan. */
  toApply: Step<object>[]
  showResult: (result: Result) => string[]
}

/** What all commands share that change OpenRouter: they show a plan, have it agreed to, apply it, and say what came of it. */
export abstract class PlannedCommand extends BaseCommand {
  /** The flags that each of them has. */
  static readonly planFlags = {
    db: dbFlag,
    roster: rosterFlag,
    limits: limitsFlag,
    workspace: workspaceFlag,
    'dry-run': dryRunFlag,
    yes: yesFlag,
    force: forceFlag,
    'max-change': maxChangeFlag,
    concurrency: concurrencyFlag,
  }

  /** Tells a story to its end; gives the result, or the plan alone for a dry run. */
  protected async tell<Plan extends Planned, Result extends Applied>(
    { job, toPlan, showPlan, alwaysAsk = false, toApply, showResult }: Story<Plan, Result>,
    { 'dry-run': dryRun, yes, force }: Agreed & { 'dry-run': boolean },
    interrupt: Interrupt,
  ): Promise<Plan | Result> {
    await runPipeline(toPlan, {}, this.progress())
    const { plan } = job
    this.print(driftLines(job.drift))
    this.print(showPlan(plan, terminalWidth(), { dryRun }))
    if (dryRun) return plan
    const always = alwaysAsk && plan.changes.length > 0
    await askConsent(plan.safety, { yes, force, always, mayAsk: !this.jsonEnabled() }, interrupt)
    const rows = toApply.map((row) => ({
      ...row,
      run: (...[, report]: Parameters<typeof row.run>) => job.apply(() => row.run({}, report)),
    }))
    await runPipeline(rows, {}, this.progress())
    const result = job.result()
    this.print(showResult(result))
    return { ...result, ...this.conclude(result, interrupt, job.stoppedBy) }
  }

  /** Tells that a signal has come. */
  protected sayStopping = (): void => {
    if (sayInPipeline('stopping; Ctrl-C again ends at once')) return
    this.remark(['', 'Stopping: nothing new is started. Ctrl-C again ends at once.'])
  }

  /**
   * Says how a run ended that did not get through for everybody, and sets the exit code: 130 or 143 after a
   * signal, 1 where it had to stop, 3 where it failed for some.
   * @returns what the result has to tell of a signal, which no job knows of
   */
  protected conclude(
    result: Applied,
    interrupt: Interrupt,
    stoppedBy: Error | undefined,
  ): { stopped?: Stopped } {
    const unfinished = result.students.filter(isUnfinished).length
    const rest = `${result.students.length - unfinished} of ${result.students.length} students are done; run the same command again to go on.`
    const signal = interrupt.exitCode()
    if (signal !== undefined) {
      const message = `Interrupted: ${rest}`
      this.remark([message], 'yellow')
      process.exitCode = signal
      return { stopped: { code: 'interrupted', message } }
    }
    if (stoppedBy) {
      this.remark([...errorLines(stoppedBy), rest], 'red')
      process.exitCode = 1
    } else if (unfinished > 0) {
      this.remark([rest], 'yellow')
      process.exitCode = 3
    }
    return {}
  }
}
