// What an AudioWorkletGlobalScope has and the DOM's types lack (Web Audio API 1.1, 1.32).
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(
  name: string,
  make: new (options: { processorOptions: any }) => AudioWorkletProcessor & {
    process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean;
  },
): void;
