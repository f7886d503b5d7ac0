import {
  Listr,
  ListrLogger,
  type ListrRenderer,
  ListrTaskEventType,
  type ListrTaskObject,
  ListrTaskState,
  ProcessOutput,
} from 'listr2'

/** One row of a command's pipeline. */
export interface Step<Context> {
  title: string
  /** Whether the row is there at all; a pure function of what the rows before it have found. */
  onlyIf?: (context: Context) => boolean
  /** Why the row has nothing to do, or false; a pure function of what the rows before it have found. */
  skip?: (context: Context) => string | false | undefined
  /**
   * Does the row's work.
   * @param report shows how far it is, beside the title
   * @returns what came of it, which stays beside the title
   */
  run: (context: Context, report: (progress: string) => void) => Promise<string | undefined>
}

/** Says something in the row that is at work, as long as rows are shown live: nothing else reaches the screen then. */
let sayInRow: ((text: string) => void) | undefined

/**
 * Says something beside the row that is at work.
 * @returns false where no row is shown live, so that it has to be said otherwise
 */
export function sayInPipeline(text: string): boolean {
  sayInRow?.(text)
  return sayInRow !== undefined
}

/**
 * Runs the rows one after another and shows them on standard error: live in a terminal, one line a row
 * elsewhere, not at all for `--json`. The first error ends it and is thrown.
 */
export async function runPipeline<Context extends object>(
  steps: readonly Step<Context>[],
  context: Context,
  { silent }: { silent: boolean },
): Promise<Context> {
  const live = process.stdout.isTTY === true && process.stderr.isTTY === true && !process.env.CI
  const rows = steps.map(({ title, onlyIf, skip, run }) => ({
    title,
    enabled: (ctx: Context) => onlyIf?.(ctx) ?? true,
    skip: (ctx: Context) => skip?.(ctx) || false,
    task: async (ctx: Context, task: { title?: string }) => {
      let said = ''
      const show = (text: string | undefined) => {
        if (text) task.title = `${title}: ${text}${said}`
      }
      if (live && !silent)
        sayInRow = (text) => {
          said = ` (${text})`
          task.title = `${task.title}${said}`
        }
      try {
        const outcome = await run(ctx, live ? show : () => {})
        said = ''
        show(outcome)
      } finally {
        sayInRow = undefined
      }
    },
  }))
  const options = { ctx: context, exitOnError: true, registerSignalListeners: false, concurrent: false }
  if (silent) return new Listr<Context, 'silent'>(rows, { ...options, renderer: 'silent' }).run()
  if (!live)
    return new Listr<Context, typeof PlainRenderer>(rows, { ...options, renderer: PlainRenderer }).run()
  const logger = new ListrLogger({ processOutput: new ProcessOutput(process.stderr, process.stderr) })
  const rendererOptions = { logger, showErrorMessage: false, collapseSkips: false, removeEmptyLines: true }
  return new Listr<Context, 'default'>(rows, { ...options, renderer: 'default', rendererOptions }).run()
}

/** One line on standard error for each row that has ended: for pipes and logs. */
class PlainRenderer implements ListrRenderer {
  static nonTTY = true
  static rendererOptions: never
  static rendererTaskOptions: never

  constructor(readonly tasks: ListrTaskObject<unknown, typeof PlainRenderer, typeof PlainRenderer>[]) {}

  render(): void {
    for (const task of this.tasks) {
      task.on(ListrTaskEventType.STATE, (state) => {
        if (state === ListrTaskState.COMPLETED) process.stderr.write(`${task.title}\n`)
        if (state === ListrTaskState.FAILED) process.stderr.write(`${task.initialTitle}: failed\n`)
        if (state === ListrTaskState.SKIPPED)
          process.stderr.write(`${task.initialTitle}: ${task.message.skip}\n`)
      })
    }
  }

  end(): void {}
}
