// Telemetry, alerts and the budget.
param location string
param token string
param tags object
param workspaceName string
param databaseId string
param alertEmail string
param monthlyBudget int
param budgetStart string

// Removed before storage, by the privacy policy: addresses, places, browsers and operating systems
var removeClientColumns = 'source | project-away ClientIP, ClientCity, ClientStateOrProvince, ClientCountryOrRegion, ClientBrowser, ClientOS, ClientModel'
// And queries, which have the purchase token of the landing page and the code of a sign-in
var removeQueries = '${removeClientColumns} | extend Url = tostring(split(Url, "?")[0]), Name = tostring(split(Name, "?")[0])'
var telemetry = [
  'AppAvailabilityResults'
  'AppBrowserTimings'
  'AppDependencies'
  'AppEvents'
  'AppExceptions'
  'AppMetrics'
  'AppPageViews'
  'AppPerformanceCounters'
  'AppRequests'
  'AppSystemEvents'
  'AppTraces'
]

var alarms = [
  {
    name: 'alarms'
    severity: 1
    about: 'An event that needs attention; docs/operations.md describes each'
    query: 'AppTraces | extend entry = parse_json(Message) | where entry.level == "error" and entry.event != "request_failed" | summarize count() by event = tostring(entry.event)'
    operator: 'GreaterThan'
    threshold: 0
    minutes: 15
  }
  {
    name: 'failed-requests'
    severity: 2
    about: 'More than 20 server errors in 15 minutes'
    query: 'AppTraces | extend entry = parse_json(Message) | where entry.event == "request_failed"'
    operator: 'GreaterThan'
    threshold: 20
    minutes: 15
  }
  {
    name: 'failed-jobs'
    severity: 1
    about: 'A run of a timer-triggered function failed'
    query: 'AppRequests | where Success == false and isempty(Url)'
    operator: 'GreaterThan'
    threshold: 0
    minutes: 60
  }
  {
    name: 'silence'
    severity: 0
    about: 'No completed check of the data for an hour'
    query: 'AppTraces | extend entry = parse_json(Message) | where entry.event == "job_done" and entry.function == "check_invariants"'
    operator: 'LessThan'
    threshold: 1
    minutes: 60
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

resource transform 'Microsoft.Insights/dataCollectionRules@2023-03-11' = {
  name: 'dcr-${token}'
  location: location
  tags: tags
  kind: 'WorkspaceTransforms'
  properties: {
    dataSources: {}
    destinations: { logAnalytics: [{ workspaceResourceId: workspace.id, name: 'workspace' }] }
    dataFlows: [for table in telemetry: {
      streams: ['Microsoft-Table-${table}']
      destinations: ['workspace']
      transformKql: table == 'AppRequests' ? removeQueries : removeClientColumns
    }]
  }
}

// The rule and the workspace refer to each other, so the workspace gets its rule in a second deployment
module link 'link.bicep' = {
  name: 'link'
  params: { location: location, tags: tags, workspaceName: workspaceName, ruleId: transform.id }
}

resource operators 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${token}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'timetracker'
    enabled: true
    emailReceivers: [{ name: 'operators', emailAddress: alertEmail, useCommonAlertSchema: true }]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for alarm in alarms: {
  name: 'alert-${alarm.name}-${token}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'TimeTracker: ${alarm.name}'
    description: alarm.about
    severity: alarm.severity
    enabled: true
    scopes: [workspace.id]
    evaluationFrequency: 'PT${alarm.minutes}M'
    windowSize: 'PT${alarm.minutes}M'
    criteria: {
      allOf: [{ query: alarm.query, timeAggregation: 'Count', operator: alarm.operator, threshold: alarm.threshold }]
    }
    actions: { actionGroups: [operators.id] }
  }
}]

resource databaseBusy 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'alert-database-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The database runs out of workers: add cores, or reduce instances (docs/operations.md, scale)'
    severity: 2
    enabled: true
    scopes: [databaseId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'workers'
          metricName: 'workers_percent'
          timeAggregation: 'Maximum'
          operator: 'GreaterThan'
          threshold: 80
        }
      ]
    }
    actions: [{ actionGroupId: operators.id }]
  }
}

resource budget 'Microsoft.Consumption/budgets@2023-11-01' = {
  name: 'budget-${token}'
  properties: {
    category: 'Cost'
    amount: monthlyBudget
    timeGrain: 'Monthly'
    timePeriod: { startDate: budgetStart }
    notifications: {
      spent: { enabled: true, operator: 'GreaterThan', threshold: 80, thresholdType: 'Actual', contactEmails: [alertEmail] }
      forecast: { enabled: true, operator: 'GreaterThan', threshold: 100, thresholdType: 'Forecasted', contactEmails: [alertEmail] }
    }
  }
}
