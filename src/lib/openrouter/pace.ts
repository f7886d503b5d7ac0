/** A place among the requests under way; it must be given back. */
export interface Slot {
  /** The request was answered: many of these in a row let more requests run at a time. */
  succeeded(): void
  /** OpenRouter asked to slow down: nothing starts for so many milliseconds, and then fewer at a time. */
  slowDown(waitMs: number): void
  /** Gives the place back. */
  release(): void
}

/**
 * Decides how many requests run at a time: the most that was asked for, half as many after OpenRouter says
 * that it is too fast, one more again after as many answers as run at a time.
 */
export class Pace {
  #allowed: number
  #underWay = 0
  #answered = 0
  #resumeAt = 0
  #slowedAt = 0
  #timer: NodeJS.Timeout | undefined
  readonly #waiting: (() => void)[] = []

  /** @param most how many requests may run at a time at best */
  constructor(readonly most: number) {
    this.#allowed = most
  }

  /** How many requests may run at a time now. */
  get allowed(): number {
    return this.#allowed
  }

  /**
   * Waits for a place.
   * @param signal gives up waiting; the promise then rejects with the signal's reason
   */
  async slot(signal?: AbortSignal): Promise<Slot> {
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const enter = () => {
        signal?.removeEventListener('abort', leave)
        this.#underWay++
        resolve()
      }
      const leave = () => {
        const place = this.#waiting.indexOf(enter)
        if (place >= 0) this.#waiting.splice(place, 1)
        if (this.#waiting.length === 0) this.#forgetPause()
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', leave, { once: true })
      this.#waiting.push(enter)
      this.#admit()
    })
    return this.#newSlot()
  }

  #newSlot(): Slot {
    const startedAt = Date.now()
    let released = false
    return {
      succeeded: () => {
        if (++this.#answered < this.#allowed) return
        this.#answered = 0
        this.#allowed = Math.min(this.most, this.#allowed + 1)
      },
      slowDown: (waitMs) => {
        this.#resumeAt = Math.max(this.#resumeAt, Date.now() + waitMs)
        // The requests that were under way together are all refused together: that is one reason, not many.
        if (startedAt <= this.#slowedAt) return
        this.#slowedAt = Date.now()
        this.#answered = 0
        this.#allowed = Math.max(1, Math.floor(this.#allowed / 2))
      },
      release: () => {
        if (released) return
        released = true
        this.#underWay--
        this.#admit()
      },
    }
  }

  /** A pause that nobody waits for must not keep the process from ending. */
  #forgetPause(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #admit(): void {
    if (this.#waiting.length === 0) return
    const rest = this.#resumeAt - Date.now()
    if (rest > 0) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined
        this.#admit()
      }, rest)
      return
    }
    while (this.#underWay < this.#allowed) {
      const enter = this.#waiting.shift()
      if (!enter) return
      enter()
    }
  }
}
