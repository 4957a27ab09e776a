// The event stream, resumed after every loss. EventSource reconnects by itself after a dropped connection, but gives up
// for good after an answer that is not a stream, so that case is tried again here.

const AGAIN_MS = 2000;

/** Follow the stream. `onopen` after every (re)connection, `onevent` for each event, `onreset` when the past is unknown. */
export function follow({ onopen, onevent, onreset, onloss }) {
  let last = null;
  const connect = () => {
    const source = new EventSource(last === null ? "/api/v1/events" : `/api/v1/events?after=${last}`);
    source.onopen = () => onopen();
    source.onmessage = (message) => {
      last = message.lastEventId;
      onevent(JSON.parse(message.data));
    };
    source.addEventListener("reset", (message) => {
      last = message.lastEventId;
      onreset();
    });
    source.onerror = () => {
      onloss();
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, AGAIN_MS);
    };
  };
  connect();
}
