// presets.ts — pipelines with a name: plain data, so that any process may list them.
//
// A preset is expanded when a request is submitted. What it says later changes no batch that has begun.

export type Preset = { name: string; summary: string; pipeline: string };

/** The presets of this installation, in the order in which they are shown. */
export function presetsOf(config: { pipeline: string; uploadPipeline: string }): Preset[] {
  return [
    {
      name: 'catalog',
      summary: 'What is done to catalogs and batches that name no pipeline: DARKROOM_PIPELINE.',
      pipeline: config.pipeline,
    },
    {
      name: 'upload',
      summary: 'What is done to uploaded pictures: DARKROOM_UPLOAD_PIPELINE.',
      pipeline: config.uploadPipeline,
    },
  ];
}

/** Pipelines by the name of their preset, as the grammar looks them up. */
export function pipelinesByName(presets: readonly Preset[]): ReadonlyMap<string, string> {
  return new Map(presets.map(({ name, pipeline }) => [name, pipeline]));
}
