// The emulated clock: what time it is in the home, and how fast it runs there. It is
// anchored to the browser's monotonic clock, so a wrong clock in the browser's
// machine does not show.

export class Clock {
  #emulated = 0;
  #at = 0;
  speed = 1;
  paused = false;
  known = false;

  /** set takes what the hub said, received just now. */
  set({ now, speed, paused }) {
    const emulated = Date.parse(now);
    if (Number.isNaN(emulated)) return;
    this.#emulated = emulated;
    this.#at = performance.now();
    this.speed = speed;
    this.paused = Boolean(paused);
    this.known = true;
  }

  /** now returns the emulated time in milliseconds since 1970. */
  now() { return this.paused ? this.#emulated : this.#emulated + (performance.now() - this.#at) * this.speed; }

  /** wall returns how long an emulated duration takes on the person's own clock. */
  wall(ms) { return ms / this.speed; }
}
